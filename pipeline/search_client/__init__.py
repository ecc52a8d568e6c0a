"""A client of the search service. It knows HTTP and nothing of the rest of the project."""
