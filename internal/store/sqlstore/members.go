package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/liao-im/liao/internal/im"
)

// roster is who is and was a member of a conversation, as of one version of its
// membership. It never changes once made.
type roster struct {
	version uint64
	all     []standing  // by user; who left included
	current []im.UserID // by user; shared with everything that is pushed: read only
}

// standing is what one user may do in a conversation.
type standing struct {
	user    im.UserID
	maySend bool
	left    im.Seq // the last entry that who left may see; 0: still a member
}

// facts returns what the rules must know of user. A nil roster is nobody's.
func (r *roster) facts(user im.UserID, kind im.Kind, head im.Seq) im.SendFacts {
	f := im.SendFacts{Kind: kind, Head: head}
	if r == nil {
		return f
	}
	i, ok := slices.BinarySearchFunc(r.all, user, func(s standing, u im.UserID) int { return cmp.Compare(s.user, u) })
	if !ok {
		return f
	}
	f.EverMember, f.Member, f.MaySend = true, r.all[i].left == 0, r.all[i].maySend
	return f
}

// rosterMemory is how many standings the cache keeps in each of its two halves:
// about 10 MB, or the direct conversations of 130,000 people.
const rosterMemory = 1 << 18

// memberships keeps rosters by conversation. A roster is given only to who read
// the conversation's member_version and holds its lock, so it is never stale. Two
// halves make it forget: when the young one is full it becomes the old one, and
// what nobody asked for since is gone.
type memberships struct {
	mu     sync.Mutex
	young  map[im.ConvID]*roster
	old    map[im.ConvID]*roster
	weight int // standings in young
}

// get returns the roster of a conversation at this version, or nil.
func (m *memberships) get(conv im.ConvID, version uint64) *roster {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.young[conv]
	if !ok {
		if r, ok = m.old[conv]; ok && r.version == version {
			m.keep(conv, r)
		}
	}
	if r == nil || r.version != version {
		return nil
	}
	return r
}

// put keeps a roster. It must have been read from committed rows.
func (m *memberships) put(conv im.ConvID, r *roster) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(conv, r)
}

func (m *memberships) keep(conv im.ConvID, r *roster) {
	if m.weight > rosterMemory || m.young == nil {
		m.young, m.old, m.weight = make(map[im.ConvID]*roster), m.young, 0
	}
	m.young[conv] = r
	m.weight += len(r.all)
}

// rostersOf returns the rosters of conversations that the transaction has locked,
// from the cache or from the table. It may not have changed their members.
func (x *tx) rostersOf(ctx context.Context, convs map[im.ConvID]*conversation) (map[im.ConvID]*roster, error) {
	rosters := make(map[im.ConvID]*roster, len(convs))
	var missing []im.ConvID
	for id, c := range convs {
		if r := x.s.members.get(id, c.version); r != nil {
			rosters[id] = r
		} else {
			missing = append(missing, id)
		}
	}
	for part := range slices.Chunk(missing, maxList) {
		read, err := readRosters(ctx, x, part)
		if err != nil {
			return nil, err
		}
		for id, r := range read {
			r.version = convs[id].version
			x.s.members.put(id, r)
			rosters[id] = r
		}
	}
	return rosters, nil
}

// readRosters reads the members of conversations; their versions are left open.
func readRosters(ctx context.Context, q querier, convs []im.ConvID) (map[im.ConvID]*roster, error) {
	type row struct {
		conv im.ConvID
		standing
	}
	rows, err := collect(ctx, q, func(r scanner) (m row, err error) {
		err = r.Scan(&m.conv, &m.user, &m.maySend, &m.left)
		return m, err
	}, `SELECT conv_id, user_id, may_send, left_seq FROM members
		WHERE conv_id IN (`+marks(listSize(len(convs)))+`) ORDER BY conv_id, user_id`, idList(convs)...)
	if err != nil {
		return nil, err
	}
	rosters := make(map[im.ConvID]*roster, len(convs))
	for _, m := range rows {
		r := rosters[m.conv]
		if r == nil {
			r = &roster{}
			rosters[m.conv] = r
		}
		r.all = append(r.all, m.standing)
		if m.left == 0 {
			r.current = append(r.current, m.user)
		}
	}
	return rosters, nil
}
