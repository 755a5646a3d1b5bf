"""New projects: templates, and the code that copies them."""
