"""Pure functions from tensors to matplotlib figures, one module a chapter; `publish` is the only one that writes."""
