package wire

import "reflect"

// AppendJSON lets tests write any shape, requests too.
func (s *Service) AppendJSON(v any, ref Ref) []byte {
	return s.appendJSON(nil, reflect.ValueOf(v).Elem(), &s.Shapes[ref])
}

// AppendCBOR is the same in CBOR.
func (s *Service) AppendCBOR(v any, ref Ref) []byte {
	return s.appendCBOR(nil, reflect.ValueOf(v).Elem(), &s.Shapes[ref])
}
