package talk

import "strings"

// words are the texts for people. Scripts get the English ones, and rely only on
// the first word of a line and what is said to follow it.
type words struct {
	welcome         []string
	helpEnd         []string
	briefs          map[string]string // of commands, where they are not English
	results, events map[string]string // by kind; %s is what a script sees after the kind

	noCommand, retryAfter, unknown                         string
	askEmail, askHandle, askName, askCode, askCodeOrOutbox string
	handleRule, givenUp                                    string
	password, oldPassword, newPassword                     string
	codeSent, codeStillGood, passwordSet, passwordChanged  string
	thisDevice, stillUnsent, queued                        string
	nobody, asked, accepted, noRequests                    string
	noFriends, nobodyOnline, online, lastSeen              string
	blocked, deleted, closed, allRead, server, you         string
}

// language is en or zh, by the flag, else by the usual variables.
func language(flag string, env func(string) string) string {
	if flag != "" {
		return flag
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return "zh"
			}
			return "en"
		}
	}
	return "en"
}

func wordsOf(lang string) words {
	if lang == "zh" {
		return chinese()
	}
	return english()
}

func english() words {
	return words{
		welcome: []string{
			"Welcome. You have no account in this profile yet:",
			"  /signup   makes one;   /login HANDLE   uses one that you have.",
			"  /help lists everything.",
		},
		helpEnd: []string{
			"@HANDLE TEXT sends without opening; //TEXT sends a text that begins with /; Tab completes.",
		},
		results: map[string]string{
			kindRequest: "%s  (waits for your /accept or /refuse)",
			kindAsked:   "you asked %s",
			kindOutbox:  "this server sends no mail; its operator reads it at %s",
			kindBlocked: "%s is blocked",
		},
		events: map[string]string{
			kindNotice:       "%s",
			kindFailed:       "not delivered to %s",
			kindRequest:      "friend request from %s  (/accept or /refuse)",
			kindFriend:       "%s is your friend now",
			kindLogin:        "%s",
			kindUnread:       "unread from %s  (/unread shows it)",
			kindWaiting:      "friend requests that wait for you: %s  (/requests)",
			kindOnline:       "%s is on line",
			kindOffline:      "%s has left",
			kindConnected:    "connected as %s",
			kindDisconnected: "the connection is down; trying again",
			kindEnded:        "logged out (%s): /login again",
			kindForgotten:    "the server was restored from a backup; what you see may be older than what you remember",
		},
		noCommand: "there is no command %s; /help lists them", retryAfter: " (again in %v)",
		unknown:  "; it may have taken effect all the same",
		askEmail: "your e-mail address: ", askHandle: "a handle, by which others find you: ", askName: "your name, as others see it: ",
		handleRule: "a handle has 3 to 32 of a-z, 0-9 and _, the first a letter", givenUp: "given up; nothing was changed",
		askCode:         "code from the e-mail: ",
		askCodeOrOutbox: "code from the e-mail (Enter alone takes it from the outbox): ",
		password:        "password: ", oldPassword: "old password: ", newPassword: "new password: ",
		codeSent: "a code is on its way to %s", codeStillGood: "the code that was sent to %s is still good",
		passwordSet:     "the new password is set; /login with it",
		passwordChanged: "the password is changed; all other devices are logged out",
		thisDevice:      "  (this one)", stillUnsent: "%d messages are not sent yet; they will be when you start again",
		queued: "not connected: it will be sent when the connection is back",
		nobody: "nobody found", asked: "@%s was asked", accepted: "you and @%s are friends now",
		noRequests: "no requests", noFriends: "no friends yet: /find somebody and /add them",
		nobodyOnline: "none of your friends is on line", online: "on line", lastSeen: "last seen",
		blocked: "blocked", deleted: "(deleted account)", closed: "@%s takes no messages from you now",
		allRead: "nothing is unread", server: "liao", you: "you",
	}
}

func chinese() words {
	//nolint:gosec // the words around passwords are no credentials.
	return words{
		welcome: []string{
			"欢迎使用。这个配置里还没有账号：",
			"  /signup   注册；   /login 用户名   登录已有账号。",
			"  /help 查看全部命令。",
		},
		helpEnd: []string{"“@用户名 文字”直接发送；“//文字”发送以 / 开头的文字；Tab 键补全。"},
		briefs: map[string]string{
			"signup": "注册账号，验证码发到邮箱", "login": "用用户名或邮箱登录", "forgot": "重设密码，验证码发到邮箱",
			"find": "按用户名、昵称、#编号或邮箱找人", "add": "请求加好友", "requests": "等待你答复和你等待的请求",
			"accept": "同意加好友", "refuse": "拒绝（对方不会收到通知）", "friends": "好友列表", "who": "在线的好友",
			"open": "打开会话，之后输入的文字都发给对方", "say": "发送文字，与直接输入相同", "history": "当前会话的记录",
			"unread": "所有未读消息", "read": "把当前会话标为已读", "remark": "给好友加备注，留空则取消",
			"remove": "解除好友", "block": "屏蔽", "unblock": "取消屏蔽", "me": "查看或修改个人资料",
			"passwd": "修改密码，其他设备会退出登录", "devices": "已登录的设备", "revoke": "让某个设备退出登录（/devices 里的序号）",
			"logout": "退出登录，并清除本机的记录", "status": "当前账号和连接状态", "wait": "脚本用：等待事件出现",
			"expect": "脚本用：检查上一条命令的输出", "sleep": "脚本用：等待一段时间", "help": "命令列表", "quit": "退出",
		},
		results: map[string]string{
			kindRequest: "%s （/accept 同意，/refuse 拒绝）",
			kindAsked:   "已向 %s 发出请求",
			kindOutbox:  "这台服务器不发送邮件，运营者可在 %s 查看",
			kindBlocked: "已屏蔽 %s",
		},
		events: map[string]string{
			kindNotice: "%s", kindFailed: "未送达 %s", kindRequest: "好友请求 %s （/accept 同意，/refuse 拒绝）",
			kindFriend: "%s 已是你的好友", kindLogin: "%s", kindUnread: "未读 %s （/unread 查看）",
			kindWaiting: "等待你答复的好友请求：%s （/requests 查看）", kindOnline: "%s 上线了", kindOffline: "%s 离线了",
			kindConnected: "已连接，你是 %s", kindDisconnected: "连接中断，正在重连", kindEnded: "登录已失效（%s），请重新 /login",
			kindForgotten: "服务器已从备份恢复，现在看到的可能比你记得的旧",
		},
		noCommand: "没有命令 %s，/help 查看全部命令", retryAfter: "（%v 后再试）", unknown: "；操作可能已经生效",
		askEmail: "邮箱：", askHandle: "用户名（别人用它找到你）：", askName: "昵称：",
		handleRule: "用户名为 3 到 32 个小写字母、数字或 _，以字母开头", givenUp: "已取消，没有任何改动",
		askCode: "邮件中的验证码：", askCodeOrOutbox: "邮件中的验证码（直接回车则从 outbox 读取）：",
		password: "密码：", oldPassword: "旧密码：", newPassword: "新密码：",
		codeSent: "验证码已发往 %s", codeStillGood: "之前发往 %s 的验证码仍然有效",
		passwordSet: "新密码已设置，请重新 /login", passwordChanged: "密码已修改，其他设备已退出登录",
		thisDevice: "  （本机）", stillUnsent: "还有 %d 条消息没有发出，下次启动时会继续发送",
		queued: "未连接：连接恢复后会自动发送", nobody: "没有找到", asked: "已向 @%s 发出请求", accepted: "你和 @%s 已成为好友",
		noRequests: "没有请求", noFriends: "还没有好友：用 /find 找人，/add 添加", nobodyOnline: "没有好友在线",
		online: "在线", lastSeen: "上次在线", blocked: "已屏蔽", deleted: "（已注销）", closed: "@%s 现在不接收你的消息",
		allRead: "没有未读消息", server: "系统", you: "我",
	}
}
