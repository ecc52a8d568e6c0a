"""Search over HTTP. Only this package knows FastAPI; what it serves is opened by `pipeline.jobs`."""
