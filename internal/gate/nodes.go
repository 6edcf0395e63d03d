package gate

import (
	"context"
	"net/http"
)

type nodesOutput struct {
	Body struct {
		Nodes []nodeAddrs `json:"nodes"`
	} `nameHint:"NodeList"`
}

func (g *Gate) describeNodes() {
	register(g, call{
		id: "listNodes", method: http.MethodGet, path: "/v1/nodes", status: http.StatusOK, login: true,
		summary:  "List chat nodes to connect to, in random order by free load",
		refusals: []int{http.StatusUnauthorized},
	}, g.listNodes)
}

func (g *Gate) listNodes(ctx context.Context, _ *nothing) (*nodesOutput, error) {
	nodes, err := g.nodes.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	var out nodesOutput
	out.Body.Nodes = make([]nodeAddrs, 0, len(nodes))
	for _, n := range nodes {
		out.Body.Nodes = append(out.Body.Nodes, addrsOf(n))
	}
	return &out, nil
}
