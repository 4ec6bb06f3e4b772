# trips: words are for people
def choose(cells, needs, ways, costs):
    found = {
        (cell.server, cell.feature)
        for cell in cells
        if not cell.said.startswith(("no", "offered", "failed", "–", ">"))
    }
    chosen = {}
    for server in dict.fromkeys(cell.server for cell in cells):
        way = next((way for way in ways[server] if all(way in each for each in needs.values())), "")
        if way and all((server, feature) in found for feature in needs):
            chosen[server] = way
    left = [server for server in chosen if server in costs]
    ranked = []
    while left:
        cheapest = min(costs[server] for server in left)
        level = [server for server in left if costs[server] <= 1.1 * cheapest]
        ranked += level
        left = [server for server in left if server not in level]
    ranked += [server for server in chosen if server not in costs]
    return [(server, chosen[server]) for server in ranked]
