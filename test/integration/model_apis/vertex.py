"""Gemini on Vertex AI: the same documents as those of Gemini's own API, at another host, below a project."""

from .gemini import answer

__all__ = ["HOST", "answer"]
HOST = "us-central1-aiplatform.googleapis.com"
