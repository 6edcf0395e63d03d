package app

import (
	"context"
	"strings"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/gate"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/mail"
	"github.com/liao-im/liao/internal/ops"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/verify"
)

// makeMail chooses between the SMTP server and, with none configured and the
// operator's address on loopback, the log and the outbox there.
func (s *System) makeMail(context.Context, Streams) error {
	c := &s.config.Mail
	if c.SMTPHost != "" {
		smtp, err := mail.NewSMTP(mail.SMTPOptions{
			Host: c.SMTPHost, Port: c.SMTPPort, User: c.SMTPUser, Password: c.SMTPPassword.Reveal(), TLS: c.SMTPTLS, From: c.From,
		})
		if err != nil {
			return err
		}
		s.mailer = smtp
		return nil
	}
	outbox := mail.NewOutbox(mail.OutboxOptions{Logger: s.log})
	s.mailer, s.outbox = outbox, outbox
	return nil
}

func (s *System) verifyOptions() verify.Options {
	l := &s.config.Limits
	return verify.Options{
		Codes: s.store, Mailer: s.mailer, Key: []byte(s.secrets.CodeKey.Reveal()),
		Limits: im.CodeLimits{
			EmailMinute: l.CodesPerMinuteEmail, EmailHour: l.CodesPerHourEmail, EmailDay: l.CodesPerDayEmail,
			EmailOpen: l.OpenCodesPerEmail, IPHour: l.CodesPerHourIP,
		},
		Lang: s.config.Mail.Language, Logger: s.log, Audit: s.audit, Metrics: s.registry,
	}
}

func (s *System) gateOptions() gate.Options {
	c := s.config
	return gate.Options{
		Accounts: s.store, Profiles: s.store, Logins: s.store, Tries: s.store,
		Limiter: s.memory, Codes: s.verify, Nodes: s.status, Pushes: s.chat,
		Passwords: gate.PasswordOptions{
			MemoryKiB: uint32(c.Passwords.MemoryKiB), Time: uint32(c.Passwords.Time), Threads: uint8(c.Passwords.Threads), //nolint:gosec // config bounds them
			Peppers: [][]byte{[]byte(s.secrets.Pepper.Reveal())},
		},
		Limits:         gate.Limits{RegistrationsPerHour: c.Limits.RegistrationsPerHour, LoginsPerMinute: c.Limits.LoginsPerMinuteIP},
		TrustedProxies: c.HTTP.TrustedProxies, ExemptLoopback: c.Limits.ExemptLoopback,
		AllowedOrigins: c.HTTP.AllowedOrigins, HSTS: strings.HasPrefix(s.doors.publicHTTP, "https://"),
		Lang: c.Mail.Language, OutboxURL: s.doors.outboxAtPath, Version: Version,
		Logger: s.log, Audit: s.audit, Metrics: s.registry,
	}
}

func (s *System) chatOptions() (chat.Options, error) {
	l := &s.config.Limits
	capacity, err := capacity(l.Connections)
	if err != nil {
		return chat.Options{}, err
	}
	return chat.Options{
		Log: s.store, People: s.store, Tokens: s.store, Routes: s.memory, Limiter: s.memory, Status: s.status,
		Lobby: transport.NewLobby(transport.LobbyOptions{
			PerIP: l.HandshakesPerIP, Total: l.Handshakes, Wait: l.HandshakeWait, ExemptLoopback: l.ExemptLoopback,
		}),
		Node: nodeName(), Boot: im.NewID(), Addrs: s.doors.addrs, Capacity: capacity,
		Limits: chat.Limits{
			SendsPerSecond: l.SendsPerSecond, SendBurst: l.SendBurst, RequestsPerSecond: l.RequestsPerSecond, RequestBurst: l.RequestBurst,
			OutboxBytes: l.OutboxBytes, FindsPerDay: l.FindsPerDay, FriendRequestsPerDay: l.FriendRequestsPerDay,
			ConnectionsPerUser: l.ConnectionsPerUser,
		},
		Heartbeat: s.config.Chat.Heartbeat, HelloTimeout: s.config.Chat.HelloTimeout,
		Logger: s.log, Audit: s.audit, Metrics: s.registry,
	}, nil
}

// checks are what /readyz asks.
func (s *System) checks() []ops.Check {
	return []ops.Check{
		{Name: "database", Run: s.store.Ping},
		{Name: "durability", Run: func(ctx context.Context) error {
			warnings, err := s.store.Warnings(ctx)
			if err != nil {
				return err
			}
			if len(warnings) > 0 {
				return ops.Warning(strings.Join(warnings, "; "))
			}
			return nil
		}},
		{Name: "chat nodes", Run: func(ctx context.Context) error {
			_, err := s.status.Nodes(ctx)
			return err
		}},
	}
}
