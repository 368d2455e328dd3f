"""The visit, the course of visits, and their store."""
