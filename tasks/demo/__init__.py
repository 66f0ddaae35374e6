"""A made-up world for trying out and measuring: its words, its people and their tasks, and the way in."""
