"""Run experiments on a model: the plain engine, which is the oracle, and the session that feeds it prompts."""
