"""What every test may use; users' own conftest has the same line."""

pytest_plugins = ["runtime.testing.fixtures"]
