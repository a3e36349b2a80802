"""What the tests stand on: the programs under test, the people who use them, and the search for secrets."""
