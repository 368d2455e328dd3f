"""Score romcap beside its peers, on recordings with a reference and on imagined limbs."""
