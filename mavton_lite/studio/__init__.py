"""Widgets and what they show: pure functions from a state to a picture, and ipywidgets around them."""
