"""Renderers: pure functions from models to text; nothing here reads a store. Layer 1."""
