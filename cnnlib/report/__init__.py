"""The page of a model: how well it reads, what it misreads and what to do next."""
