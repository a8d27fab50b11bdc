package image

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// Registry serves the OCI distribution API, version 2, below /v2/. Every request is authenticated by a password of IssueToken
// and authorised by Config.Authorize with the ECR action it amounts to. The Host header decides nothing.
func (s *Store) Registry() http.Handler { return &registry{s} }

type registry struct{ *Store }

// call is one request to the registry, taken apart.
type call struct {
	caller
	name string // of the repository
	ref  string // tag, digest or upload id
	repo Repository
}

type route struct {
	kind   string // what the path names
	method string
}

type endpoint struct {
	action string // permission it needs on the repository
	serve  func(*registry, http.ResponseWriter, *http.Request, *call) error
}

// endpoints is the whole API below a repository's name. HEAD goes where GET goes unless it has an entry.
var endpoints = map[route]endpoint{
	{"manifests", http.MethodGet}:    {"ecr:BatchGetImage", (*registry).getManifest},
	{"manifests", http.MethodPut}:    {"ecr:PutImage", (*registry).putManifest},
	{"manifests", http.MethodDelete}: {"ecr:BatchDeleteImage", (*registry).deleteManifest},
	{"blobs", http.MethodHead}:       {"ecr:BatchCheckLayerAvailability", (*registry).getBlob},
	{"blobs", http.MethodGet}:        {"ecr:GetDownloadUrlForLayer", (*registry).getBlob},
	{"blobs", http.MethodDelete}:     {"ecr:BatchDeleteImage", (*registry).deleteBlob},
	{"uploads", http.MethodPost}:     {"ecr:InitiateLayerUpload", (*registry).startBlob},
	{"upload", http.MethodGet}:       {"ecr:UploadLayerPart", (*registry).uploadStatus},
	{"upload", http.MethodPatch}:     {"ecr:UploadLayerPart", (*registry).uploadPart},
	{"upload", http.MethodPut}:       {"ecr:CompleteLayerUpload", (*registry).finishBlob},
	{"upload", http.MethodDelete}:    {"ecr:UploadLayerPart", (*registry).cancelBlob},
	{"tags", http.MethodGet}:         {"ecr:ListImages", (*registry).listTags},
	{"referrers", http.MethodGet}:    {"ecr:BatchGetImage", (*registry).listReferrers},
}

// ServeHTTP implements http.Handler.
func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if err := g.serve(w, r); err != nil {
		g.fail(w, r, err)
	}
}

func (g *registry) serve(w http.ResponseWriter, r *http.Request) error {
	who, err := g.authenticate(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="Slipway container registry",service="ecr.amazonaws.com"`)
		return err
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2")
	switch path {
	case "", "/":
		return writeJSON(w, "application/json", struct{}{})
	case "/_catalog":
		return g.catalog(w, r, who)
	}
	kind, c, ok := splitPath(strings.TrimPrefix(path, "/"))
	if !ok {
		return answer{http.StatusNotFound, "NOT_FOUND", "the registry has no such path"}
	}
	c.caller = who
	return g.dispatch(w, r, kind, &c)
}

func (g *registry) authenticate(r *http.Request) (caller, error) {
	if link := r.URL.Query().Get(linkParam); link != "" && r.Method == http.MethodGet {
		return g.verifyLink(link, r.URL.Path)
	}
	user, password, _ := r.BasicAuth()
	return g.verifyToken(user, password)
}

// splitPath takes a path below /v2/ apart. A repository's name may itself hold words like "blobs", so it is read from behind.
func splitPath(path string) (kind string, c call, ok bool) {
	name, last, _ := cutLast(path, "/")
	switch {
	case strings.HasSuffix(name, "/blobs/uploads"):
		c.name, kind = strings.TrimSuffix(name, "/blobs/uploads"), "upload"
		if last == "" {
			kind = "uploads"
		}
	case strings.HasSuffix(name, "/blobs") && last == "uploads":
		c.name, kind = strings.TrimSuffix(name, "/blobs"), "uploads"
	case strings.HasSuffix(name, "/tags") && last == "list":
		c.name, kind = strings.TrimSuffix(name, "/tags"), "tags"
	default:
		c.name, kind, _ = cutLast(name, "/")
		ok = kind == "manifests" || kind == "blobs" || kind == "referrers"
		c.ref = last
		return kind, c, ok && c.name != "" && last != ""
	}
	c.ref = last
	return kind, c, c.name != ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func (g *registry) dispatch(w http.ResponseWriter, r *http.Request, kind string, c *call) error {
	ep, found := endpoints[route{kind, r.Method}]
	if !found && r.Method == http.MethodHead {
		ep, found = endpoints[route{kind, http.MethodGet}]
	}
	if !found {
		return answer{http.StatusMethodNotAllowed, "UNSUPPORTED", "the registry does not support this operation"}
	}
	if !validRepository(c.name) {
		return answer{http.StatusBadRequest, "NAME_INVALID", "the repository name is not valid"}
	}
	if err := g.enter(r, c, ep.action); err != nil {
		return err
	}
	return ep.serve(g, w, r, c)
}

// enter finds the repository and asks for the permission, in this order inside and the other way round outside: who may not
// ask does not learn what exists.
func (g *registry) enter(r *http.Request, c *call, action string) error {
	ctx := r.Context()
	repo, err := g.repository(ctx, c.scope, c.name)
	if err != nil && !isCode(err, CodeRepositoryNotFound) {
		return err
	}
	if denied := g.may(ctx, c.principal, action, RepositoryARN(c.scope, c.name), repo.Policy); denied != nil {
		return denied
	}
	if err != nil && action == "ecr:BatchGetImage" { // a pull may be what makes it
		if through := g.fillThrough(ctx, c.scope, c.name, c.ref); through != nil {
			return through
		}
		repo, err = g.repository(ctx, c.scope, c.name)
	}
	c.repo = repo
	return err
}

// answer is an error of the distribution API as it is sent.
type answer struct {
	status  int
	code    string
	message string
}

// Error implements error.
func (a answer) Error() string { return a.message }

// answers maps codes to the distribution API's errors.
var answers = map[apprunner.Code]answer{
	apprunner.CodeUnrecognizedKey: {http.StatusUnauthorized, "UNAUTHORIZED", ""},
	apprunner.CodeExpiredToken:    {http.StatusUnauthorized, "UNAUTHORIZED", ""},
	apprunner.CodeAccessDenied:    {http.StatusForbidden, "DENIED", ""},
	apprunner.CodeInvalidRequest:  {http.StatusBadRequest, "MANIFEST_INVALID", ""},
	apprunner.CodeUnavailable:     {http.StatusBadGateway, "UNKNOWN", ""},
	CodeInvalidParameter:          {http.StatusBadRequest, "MANIFEST_INVALID", ""},
	CodeRepositoryNotFound:        {http.StatusNotFound, "NAME_UNKNOWN", ""},
	CodeImageNotFound:             {http.StatusNotFound, "MANIFEST_UNKNOWN", ""},
	CodeImageTagAlreadyExists:     {http.StatusBadRequest, "TAG_INVALID", ""},
	CodeImageReferenced:           {http.StatusConflict, "DENIED", ""},
	CodeImageDigestDoesNotMatch:   {http.StatusBadRequest, "DIGEST_INVALID", ""},
	CodeLayersNotFound:            {http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", ""},
	CodeReferencedImagesNotFound:  {http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", ""},
	CodeInvalidLayer:              {http.StatusBadRequest, "DIGEST_INVALID", ""},
	CodeInvalidLayerPart:          {http.StatusConflict, "BLOB_UPLOAD_INVALID", ""},
	CodeUploadNotFound:            {http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", ""},
	CodeLimitExceeded:             {http.StatusRequestEntityTooLarge, "SIZE_INVALID", ""},
}

// fail sends an error. What is not meant for clients is logged and becomes a plain 500.
func (g *registry) fail(w http.ResponseWriter, r *http.Request, err error) {
	var a answer
	if full, is := g.fullAnswer(r.Context(), err); is {
		a = full
	} else if !errors.As(err, &a) {
		var own *apprunner.Error
		known := errors.As(err, &own)
		if known {
			a, known = answers[own.Code]
		}
		if known {
			a.message = own.Error()
		} else {
			g.logFailure(r.Context(), "registry request", err)
			a = answer{http.StatusInternalServerError, "UNKNOWN", "the registry failed; its log has the cause"}
		}
	}
	type detail struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(map[string][]detail{"errors": {{a.code, a.message}}})
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	w.Write(body) // a client that went away has nobody to be told
}

func writeJSON(w http.ResponseWriter, mediaType string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	w.Write(text) // a client that went away has nobody to be told
	return nil
}

// location is a URL of a repository, relative to the host, so that it holds behind any name or proxy.
func location(c *call, parts ...string) string {
	u := url.URL{Path: "/v2/" + c.name + "/" + strings.Join(parts, "/")}
	return u.String()
}
