"""Campaigns that try to lose something, and judges that do not take the agent's word for it."""
