"""Tests of the SDK: pure modules by themselves, both clients against FakeAgent and scripted transports."""
