"""The ranks that train one run together: the only place that speaks of torch.distributed."""
