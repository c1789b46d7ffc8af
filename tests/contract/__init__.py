"""Central's calls held to what is written about them: its OpenAPI document, its problems, its tenants apart."""
