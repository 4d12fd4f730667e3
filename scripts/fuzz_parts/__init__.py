"""Random and hostile payloads through the true entrances of the agent, judged against a model."""
