package im

// NodeAddrs are a chat node's public addresses; what is not offered is empty.
type NodeAddrs struct {
	TCP string // host:port
	TLS string // host:port
	WS  string // ws:// or wss:// URL of /v1/ws
}

// NodeReport is what a chat node says of itself.
type NodeReport struct {
	Node        string // its name, as WELCOME gives it
	Boot        string // new at each start of the process
	Addrs       NodeAddrs
	Connections int
	Capacity    int // connections that it would take in all
	Draining    bool
}

// Route says at which node a device of a user is connected.
type Route struct {
	User   UserID
	Device string
	Node   string
	Boot   string
	Conn   uint64 // rising within a boot
	Hello  Micros // the database's clock at HELLO; of two routes of a device the later stays
}

// Supersedes says whether r, and not o, is the live connection of their device:
// the later HELLO wins, equal ones are told apart by the connection.
func (r Route) Supersedes(o Route) bool {
	if r.Hello != o.Hello {
		return r.Hello > o.Hello
	}
	if r.Boot != o.Boot {
		return r.Boot > o.Boot
	}
	return r.Conn > o.Conn
}

// RouteState is what became of a route that was written.
type RouteState struct {
	Missing  bool   // it was not there before (first write, or the registry had lost it)
	Lost     bool   // a later connection of the device holds the route: this one must end
	Replaced *Route // an earlier connection that this write displaced: its node must hang up
}
