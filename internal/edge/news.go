package edge

import "maps"

// news is the part of the status that changed after the change seen; false when that is not only single services. What an elder edge
// still has in flight may be at any service, so while there is one all of it is told.
func (s *Server) news(seen uint64) (Status, bool) {
	st := s.routing.emptyStatus()
	if !s.hub.covers(seen) {
		return st, false
	}
	st.Partial = true
	for _, svc := range s.routing.all() {
		if !s.hub.later(&svc.changed, seen) {
			continue
		}
		c, used := svc.read(st.Targets)
		if !used {
			return st, false
		}
		st.Services[svc.arn] = c
	}
	s.describe(&st)
	s.kin.mu.Lock()
	defer s.kin.mu.Unlock()
	st.add(s.kin.last)
	return st, s.kin.elder == nil
}

// with is a known status brought up to date by news.
func (st Status) with(news Status) Status {
	next := news
	next.Partial = false
	next.Targets, next.Services = maps.Clone(st.Targets), maps.Clone(st.Services)
	maps.DeleteFunc(next.Targets, func(_ string, t TargetStatus) bool { _, changed := news.Services[t.ServiceARN]; return changed })
	maps.Copy(next.Targets, news.Targets)
	maps.Copy(next.Services, news.Services)
	return next
}
