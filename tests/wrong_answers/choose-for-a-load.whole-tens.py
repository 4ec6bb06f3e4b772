# trips: the cheapest first
def choose(cells, needs, ways, costs):
    found = {(cell.server, cell.feature) for cell in cells if cell.good is True}
    chosen = {}
    for server in dict.fromkeys(cell.server for cell in cells):
        way = next((way for way in ways[server] if all(way in each for each in needs.values())), "")
        if way and all((server, feature) in found for feature in needs):
            chosen[server] = way
    ranked = sorted(chosen, key=lambda server: round(costs.get(server, 1e9), -1))
    return [(server, chosen[server]) for server in ranked]
