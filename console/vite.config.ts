import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

import { precompress } from './build/precompress.mjs';

// `npm run dev` serves the console beside a running installation and hands everything that is not of the console to that.
const installation = process.env.AWS_ENDPOINT_URL ?? 'http://127.0.0.1:7700';

export default defineConfig({
  base: '/console/',
  plugins: [react(), precompress(process.env.CONSOLE_BUNDLE ?? '../internal/console/dist')],
  build: { target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0, chunkSizeWarningLimit: 1000 },
  server: {
    proxy: {
      '^/$': { target: installation, changeOrigin: false }, // signatures hold the host that the browser knows
      '^/console/settings\\.json$': installation,
      '^/console/signin$': { target: installation, bypass: (req) => (req.method === 'POST' ? undefined : req.url) },
    },
  },
});
