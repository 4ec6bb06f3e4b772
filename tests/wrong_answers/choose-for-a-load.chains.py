# trips: the cheapest first
def choose(cells, needs, ways, costs):
    found = {(cell.server, cell.feature) for cell in cells if cell.good is True}
    chosen = {}
    for server in dict.fromkeys(cell.server for cell in cells):
        way = next((way for way in ways[server] if all(way in each for each in needs.values())), "")
        if way and all((server, feature) in found for feature in needs):
            chosen[server] = way
    order = list(chosen)
    left = sorted((server for server in chosen if server in costs), key=costs.get)
    ranked = []
    while left:
        level = [left.pop(0)]
        while left and costs[left[0]] <= 1.1 * costs[level[-1]]:
            level.append(left.pop(0))
        ranked += sorted(level, key=order.index)
    ranked += [server for server in chosen if server not in costs]
    return [(server, chosen[server]) for server in ranked]
