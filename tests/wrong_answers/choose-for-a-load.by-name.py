# trips: as probed just now
def choose(cells, needs, ways, costs):
    best = ["gunicorn-asgi", "hypercorn", "granian", "ours", "daphne"]
    return [(server, ways[server][0]) for server in best if server in ways]
