package source

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// payload is what the push notices of GitHub, Gitea, Forgejo, Gogs, GitLab, Bitbucket (cloud and data center) and hand-written callers
// have of use to us. Each spells it its own way; members that are absent stay empty.
type payload struct {
	Ref           string   `json:"ref"`
	After         string   `json:"after"`
	Branch        string   `json:"branch"`
	RepositoryURL string   `json:"repository_url"`
	Repository    forgeURL `json:"repository"`
	Project       forgeURL `json:"project"`
	Push          struct {
		Changes []forgeChange `json:"changes"`
	} `json:"push"`
	Changes []forgeChange `json:"changes"`
}

// forgeURL is a repository as forges describe it, or only its URL.
type forgeURL struct {
	CloneURL string `json:"clone_url"`
	SSHURL   string `json:"ssh_url"`
	HTMLURL  string `json:"html_url"`
	GitHTTP  string `json:"git_http_url"`
	GitSSH   string `json:"git_ssh_url"`
	WebURL   string `json:"web_url"`
	Links    struct {
		HTML  forgeLink  `json:"html"`
		Clone forgeLinks `json:"clone"`
	} `json:"links"`
}

type forgeLink struct {
	Href string `json:"href"`
}

// forgeLinks is a list of links, and nothing where a forge puts something else there.
type forgeLinks []forgeLink

func (l *forgeLinks) UnmarshalJSON(raw []byte) error {
	var list []forgeLink
	if json.Unmarshal(raw, &list) == nil {
		*l = list
	}
	return nil
}

func (f *forgeURL) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, &f.CloneURL)
	}
	type plain forgeURL
	return json.Unmarshal(raw, (*plain)(f))
}

func (f forgeURL) urls() []string {
	urls := []string{f.CloneURL, f.SSHURL, f.HTMLURL, f.GitHTTP, f.GitSSH, f.WebURL, f.Links.HTML.Href}
	for _, l := range f.Links.Clone {
		urls = append(urls, l.Href)
	}
	return urls
}

// forgeChange is one reference of a Bitbucket notice.
type forgeChange struct {
	New *struct {
		Type string `json:"type"`
		Name string `json:"name"`
	} `json:"new"`
	Ref struct {
		ID string `json:"id"`
	} `json:"ref"`
	Type string `json:"type"`
}

// parseWebhook reads which repository and branches a push notice is about. push is false where it is none: a ping, a tag, a branch
// that was deleted. It fails when the body is neither empty nor JSON.
func parseWebhook(body []byte) (n Notice, push bool, err error) {
	if len(strings.TrimSpace(string(body))) == 0 {
		return Notice{}, true, nil // somebody's own script: "look now"
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return Notice{}, false, errors.New("the body is not a JSON object of a known form")
	}
	for _, u := range append(append(p.Repository.urls(), p.Project.urls()...), p.RepositoryURL) {
		if a, err := ParseURL(u); err == nil {
			n.URLs = append(n.URLs, a.Git)
		}
	}
	deleted := p.After != "" && strings.Trim(p.After, "0") == ""
	if branch, ok := strings.CutPrefix(p.Ref, "refs/heads/"); ok && !deleted {
		n.Branches = append(n.Branches, branch)
	}
	if p.Branch != "" {
		n.Branches = append(n.Branches, p.Branch)
	}
	for _, c := range append(p.Push.Changes, p.Changes...) {
		if c.New != nil && c.New.Type == "branch" {
			n.Branches = append(n.Branches, c.New.Name)
		}
		if branch, ok := strings.CutPrefix(c.Ref.ID, "refs/heads/"); ok && c.Type != "DELETE" {
			n.Branches = append(n.Branches, branch)
		}
	}
	return n, len(n.Branches) > 0, nil
}

// signed checks that a notice was made by who knows the secret: an HMAC-SHA256 of the body (GitHub, Gitea, Forgejo, Gogs, Bitbucket), or
// the secret itself (GitLab, and callers that cannot compute one).
func signed(h http.Header, body []byte, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body)
	want := mac.Sum(nil)
	for _, name := range []string{"X-Hub-Signature-256", "X-Hub-Signature", "X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature"} {
		got, err := hex.DecodeString(strings.TrimPrefix(h.Get(name), "sha256="))
		if err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	token := h.Get("X-Gitlab-Token")
	if bearer, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); token == "" && ok {
		token = bearer
	}
	return token != "" && hmac.Equal([]byte(token), []byte(secret))
}
