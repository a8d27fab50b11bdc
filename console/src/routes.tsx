import { createBrowserRouter, type LazyRouteFunction, Navigate, type RouteObject } from 'react-router';

import { RouteFailure } from './shell/Failure';
import { NotFound } from './shell/NotFound';
import { Shell } from './shell/Shell';

/** A page whose code is fetched when it is first opened; it is its module's default. */
function page(fetch: () => Promise<{ default: React.ComponentType }>): LazyRouteFunction<RouteObject> {
  return async () => ({ Component: (await fetch()).default });
}

/** Every page of the console and where it is. */
export function makeRouter() {
  return createBrowserRouter([
    { path: '/signin', errorElement: <RouteFailure />, hydrateFallbackElement: <></>, lazy: page(() => import('./pages/signin/SignIn')) },
    {
      path: '/', element: <Shell />, errorElement: <RouteFailure />, hydrateFallbackElement: <></>,
      children: [
        { index: true, lazy: page(() => import('./pages/home/Home')) },
        { path: 'services', lazy: page(() => import('./pages/services/Services')) },
        { path: 'services/create', lazy: page(() => import('./pages/create/CreateService')) },
        { path: 'services/:arn/:tab?', lazy: page(() => import('./pages/service/ServiceDashboard')) },
        { path: 'services/:arn/log/:kind', lazy: page(() => import('./pages/logs/LogPage')) },
        { path: 'connections', lazy: page(() => import('./pages/connections/Connections')) },
        { path: 'autoscaling', lazy: page(() => import('./pages/autoscaling/AutoScaling')) },
        { path: 'autoscaling/:name', lazy: page(() => import('./pages/autoscaling/Revisions')) },
        { path: 'networking', element: <Navigate to="/networking/outgoing" replace /> },
        { path: 'networking/outgoing', lazy: page(() => import('./pages/networking/Outgoing')) },
        { path: 'networking/incoming', lazy: page(() => import('./pages/networking/Incoming')) },
        { path: 'dashboards', lazy: page(() => import('./pages/dashboards/Dashboards')) },
        { path: 'dashboards/:name', lazy: page(() => import('./pages/dashboards/Dashboard')) },
        { path: 'keys', lazy: page(() => import('./pages/keys/AccessKeys')) },
        { path: 'cli', lazy: page(() => import('./pages/cli/CommandLine')) },
        { path: '*', element: <NotFound /> },
      ],
    },
  ], { basename: '/console' });
}
