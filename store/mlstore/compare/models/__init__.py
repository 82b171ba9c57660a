"""Models in pickle and joblib files: read by a walk that imports nothing and calls nothing."""
