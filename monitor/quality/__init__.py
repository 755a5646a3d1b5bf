"""Checks of the data contract: breaks of a feed, apart from changes of the world."""
