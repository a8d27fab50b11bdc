package signin

import (
	"fmt"
	"html"
	"strings"
)

// page is an HTML page while it is written. html/template would do the same; but it calls methods by name, and so the linker keeps every
// exported method of the whole program: eight megabytes for two pages.
type page struct{ strings.Builder }

// put appends markup. Each %s of it becomes one value, made harmless for text and for attributes in double quotes.
func (p *page) put(markup string, values ...string) {
	safe := make([]any, len(values))
	for n, v := range values {
		safe[n] = html.EscapeString(v)
	}
	fmt.Fprintf(p, markup+"\n", safe...)
}

// begin opens the page; open is the tag of its main part.
func (p *page) begin(title, open string) {
	p.put(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<link rel="stylesheet" href="/console/signin.css">
</head>
<body>`, title)
	p.put(open)
}

func (p *page) end() { p.put("</main>\n</body>\n</html>") }

// fail tells what went wrong, where something did.
func (p *page) fail(failure string) {
	if failure != "" {
		p.put(`<p class="failure" role="alert" id="failure">%s</p>`, failure)
	}
}

// html is the page on which somebody signs in.
func (p formPage) html() string {
	var b page
	title, open := "Sign in to Slipway", `<form method="post" action="/console/signin">`
	if p.Failure != "" {
		title, open = "Not signed in: "+title, `<form method="post" action="/console/signin" aria-describedby="failure">`
	}
	b.begin(title, "<main>")
	b.put("<h1>Sign in to Slipway</h1>")
	b.fail(p.Failure)
	b.put(open)
	switch {
	case p.Second():
		p.putSecond(&b)
	case p.AsRoot:
		b.put(`<label for="mail">Mail address of the root user</label>
<input id="mail" name="Mail" type="email" autocomplete="username" value="%s" required autofocus>`, p.Attempt.Mail)
		b.password()
	default:
		b.put(`<label for="account">Account</label>
<p class="hint" id="account-hint">Its 12 digits or its alias.</p>
<input id="account" name="Account" autocomplete="organization" value="%s" required aria-describedby="account-hint">
<label for="user">User name</label>
<input id="user" name="UserName" autocomplete="username" value="%s" required autofocus>`, p.Attempt.Account, p.Attempt.UserName)
		b.password()
	}
	b.put("<button>Sign in</button>\n</form>")
	b.put(`<p><a href="%s">%s</a></p>`, p.otherWay()...)
	b.end()
	return b.String()
}

// otherWay is where else the form leads, and what that is.
func (p formPage) otherWay() []string {
	switch {
	case p.Second():
		return []string{"/console/signin", "Start again"}
	case p.AsRoot:
		return []string{"/console/signin", "Sign in as an IAM user"}
	}
	return []string{"/console/signin?as=root", "Sign in as the root user"}
}

func (p *page) password() {
	p.put(`<label for="password">Password</label>
<input id="password" name="Password" type="password" autocomplete="current-password" required>`)
}

// putSecond asks for what else is needed, name and password being settled.
func (p formPage) putSecond(b *page) {
	b.put(`<input type="hidden" name="Ticket" value="%s">`, p.Attempt.Ticket)
	focus := " autofocus"
	if p.NeedsCode {
		focus = ""
		b.put(`<label for="code">MFA code</label>
<p class="hint" id="code-hint">The six digits your authenticator app shows now.</p>
<input id="code" name="Code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" maxlength="6" required autofocus aria-describedby="code-hint">`)
	}
	if p.NeedsNewPassword {
		b.put(`<label for="new">New password</label>
<p class="hint" id="new-hint">You have to choose one of your own: at least 8 characters, of three of these kinds: capitals, small letters, digits, others.</p>
<input id="new" name="NewPassword" type="password" autocomplete="new-password" required%s aria-describedby="new-hint">
<label for="again">New password once more</label>
<input id="again" name="Again" type="password" autocomplete="new-password" required>`, focus)
	}
}

// html is the page of somebody who has signed in.
func (p sessionPage) html() string {
	var b page
	title := "Signed in to Slipway"
	if p.NewKey != nil {
		title = "Your new access key"
	}
	b.begin(title, `<main class="wide">`)
	b.put(`<header>
<h1>Signed in</h1>
<form method="post" action="/console/signout"><button class="plain">Sign out</button></form>
</header>
<p>You are <strong>%s</strong> until %s.</p>`, p.ARN, p.Until)
	b.fail(p.Failure)
	if p.NewKey != nil {
		p.putNewKey(&b)
	}
	b.put(`<section aria-labelledby="lines">
<h2 id="lines">Command line</h2>
<p>Paste these lines into a shell. The AWS CLI and every SDK then work here as you, until the session ends.</p>
<pre tabindex="0" aria-label="Shell lines">%s</pre>
<p>Try it: <code>aws sts get-caller-identity</code></p>
</section>`, p.Lines)
	p.putKeys(&b)
	b.end()
	return b.String()
}

func (p sessionPage) putNewKey(b *page) {
	b.put(`<section aria-labelledby="made">
<h2 id="made">Your new access key</h2>
<p role="status">The secret is shown this once. Copy it or download it now; nobody can show it again.</p>
<dl>
<dt>Access key ID</dt><dd><code>%s</code></dd>
<dt>Secret access key</dt><dd><code>%s</code></dd>
</dl>
<p><a class="button" download="%s_accessKeys.csv" href="%s">Download .csv file</a> <a href="/console/session">Done</a></p>
</section>`, p.NewKey.ID, p.NewKey.Secret, p.UserName, p.csv())
}

func (p sessionPage) putKeys(b *page) {
	b.put(`<section aria-labelledby="keys">
<h2 id="keys">Access keys</h2>`)
	switch {
	case p.UserName == "":
		b.put("<p>You are root. Make a user for everyday work, and no keys for root.</p>")
	case len(p.Keys) == 0:
		b.put("<p>You have none. A key works until it is deleted; a session like this one ends by itself.</p>")
	default:
		b.put("<ul>")
		for _, k := range p.Keys {
			b.put("<li><code>%s</code> %s, made %s</li>", k.ID, k.Status, k.Created)
		}
		b.put("</ul>")
	}
	if p.mayMakeKey() {
		b.put(`<form method="post" action="/console/keys">
<input type="hidden" name="After" value="%s">
<button>Create access key</button>
</form>`, lastKey(p.Keys))
	}
	b.put("</section>")
}
