"""Work and bytes of a model, the ceilings of a chip, and how much of them published systems achieve."""
