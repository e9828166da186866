"""Everything that two scripts of the suite share; CONTRIBUTING.md draws the map."""
