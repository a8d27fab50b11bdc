package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The configurations give the peers the work the edge does for each request: choose by host, check the server's health, keep
// connections on both sides, add X-Forwarded-For, X-Forwarded-Proto and X-Request-Id; no access log. The cipher is the one
// crypto/tls prefers on machines with AES instructions.
const haproxyConfig = `global
    nbthread 1
    maxconn 4096
    ssl-default-bind-options ssl-min-ver TLSv1.2
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
defaults
    mode http
    option forwardfor
    timeout connect 5s
    timeout client 60s
    timeout server 120s
    timeout http-request 10s
    http-reuse always
frontend front
    bind PLAIN
    bind SECURE ssl crt DIR/both.pem alpn h2,http/1.1
    unique-id-format %{+X}o%ci%cp%Ts%rt
    unique-id-header X-Request-Id
    http-request set-header X-Forwarded-Proto https
    use_backend app if { req.hdr(host),host_only -m str localhost }
backend app
    balance leastconn
    server one BACKEND check inter 5s maxconn 100
`

const nginxCommon = `daemon off;
master_process off;
pid DIR/NAME.pid;
error_log DIR/NAME.log error;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 120s;
    client_body_temp_path DIR/NAME.tmp; proxy_temp_path DIR/NAME.tmp; fastcgi_temp_path DIR/NAME.tmp;
    uwsgi_temp_path DIR/NAME.tmp; scgi_temp_path DIR/NAME.tmp;
`

const nginxProxyConfig = nginxCommon + `
    upstream app {
        least_conn;
        server BACKEND max_conns=100;
        keepalive 100;
        keepalive_requests 1000000000;
    }
    server {
        listen PLAIN;
        listen SECURE ssl http2;
        server_name localhost;
        ssl_certificate DIR/cert.pem;
        ssl_certificate_key DIR/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Request-Id $request_id;
        }
    }
}
`

const nginxBackendConfig = nginxCommon + `
    sendfile on;
    default_type text/plain;
    open_file_cache max=10 inactive=1h;
    open_file_cache_valid 1h;
    server {
        listen BACKEND;
        root DIR/www;
        location = /post { return 200 "ANSWER"; }
    }
}
`

const caddyConfig = `{
	admin off
	auto_https off
	storage file_system DIR/caddy
	log {
		level ERROR
	}
	servers {
		protocols h1 h2
	}
}
(app) {
	reverse_proxy BACKEND {
		lb_policy least_conn
		health_uri /1k
		health_interval 5s
		header_up X-Forwarded-Proto https
		header_up X-Request-Id {http.request.uuid}
		transport http {
			keepalive_idle_conns_per_host 100
			compression off
		}
	}
}
http://localhost:PLAINPORT {
	bind 127.0.0.1
	import app
}
https://localhost:SECUREPORT {
	bind 127.0.0.1
	tls DIR/cert.pem DIR/key.pem
	import app
}
`

// startBackend starts the application behind all proxies.
func (s *stage) startBackend(ctx context.Context) error {
	at, err := freeAddresses(1)
	if err != nil {
		return err
	}
	s.backend = at[0]
	config := strings.Replace(nginxBackendConfig, "ANSWER", strings.Repeat("x", 1<<10), 1)
	c, err := s.startNginxServer(ctx, "backend", config, s.load)
	if err != nil {
		return err
	}
	s.children = append(s.children, c)
	return c.ready(ctx, func() error { return fetch(ctx, &http.Client{Timeout: time.Second}, "http://"+s.backend+"/1k") })
}

func (s *stage) startHAProxy(ctx context.Context) (*proxy, error) {
	p, err := newPeer("haproxy")
	if err != nil {
		return nil, err
	}
	path, err := s.configure("haproxy", haproxyConfig, p)
	if err != nil {
		return nil, err
	}
	if p.child, err = spawn(ctx, s.proxies, "haproxy", "-db", "-f", path); err != nil {
		return nil, err
	}
	return p, p.serves(ctx)
}

func (s *stage) startNginx(ctx context.Context) (*proxy, error) {
	p, err := newPeer("nginx")
	if err != nil {
		return nil, err
	}
	config := strings.NewReplacer("PLAIN", p.plain, "SECURE", p.secure).Replace(nginxProxyConfig)
	if p.child, err = s.startNginxServer(ctx, "nginx", config, s.proxies); err != nil {
		return nil, err
	}
	return p, p.serves(ctx)
}

func (s *stage) startCaddy(ctx context.Context) (*proxy, error) {
	p, err := newPeer("caddy")
	if err != nil {
		return nil, err
	}
	ports := strings.NewReplacer("PLAINPORT", port(p.plain), "SECUREPORT", port(p.secure))
	path, err := s.configure("caddy", ports.Replace(caddyConfig), p)
	if err != nil {
		return nil, err
	}
	if p.child, err = spawn(ctx, s.proxies, "caddy", "run", "--adapter", "caddyfile", "--config", path); err != nil {
		return nil, err
	}
	return p, p.serves(ctx)
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func newPeer(name string) (*proxy, error) {
	at, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	return &proxy{name: name, plain: at[0], secure: at[1]}, nil
}

func (s *stage) startNginxServer(ctx context.Context, name, config string, on core) (*child, error) {
	path, err := s.configure(name, config, &proxy{})
	if err != nil {
		return nil, err
	}
	return spawn(ctx, on, "nginx", "-p", s.dir, "-e", filepath.Join(s.dir, name+".log"), "-c", path)
}

// configure writes a configuration with the places of this stage filled in.
func (s *stage) configure(name, config string, p *proxy) (string, error) {
	path := filepath.Join(s.dir, name+".conf")
	filled := strings.NewReplacer("DIR", s.dir, "NAME", name, "BACKEND", s.backend, "PLAIN", p.plain, "SECURE", p.secure).Replace(config)
	if err := os.WriteFile(path, []byte(filled), 0o600); err != nil {
		return "", fmt.Errorf("configure %s: %w", name, err)
	}
	return path, nil
}
