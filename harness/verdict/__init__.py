"""Claims judged: theory, article and observation meet here, with one judge for each kind of claim."""
