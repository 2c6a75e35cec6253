"""What runs of tests have proven of definitions: made by the test kit, carried as a file, kept by a store."""
