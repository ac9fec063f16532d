"""Trace2Skill: agent execution traces in, a traceable Agent Skill directory out."""

__version__ = "0.1.0"
