"""The words and numbers of UnifiedPOS."""

from drivers.state import DeviceState


def test_states_carry_the_constants_of_unifiedpos() -> None:
    assert {state.name: state.unifiedpos_code for state in DeviceState} == {"ONLINE": 2001, "OFFLINE": 2003}
