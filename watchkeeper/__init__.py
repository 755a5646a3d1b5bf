"""The kernel of watchkeeper; the only package that user code imports."""
