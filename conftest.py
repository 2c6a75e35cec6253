"""What every test may use; a conftest of users has the same line."""

pytest_plugins = ["runtime.testing.fixtures", "runtime.testing.processes.postgresql.fixtures"]
