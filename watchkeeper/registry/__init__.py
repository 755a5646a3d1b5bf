"""Which versions of a model exist, which of them serves, and the files they are made of."""
