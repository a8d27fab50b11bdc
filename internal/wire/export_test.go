package wire

import "reflect"

// AppendCBOR lets tests write any shape in CBOR, requests too.
func (s *Service) AppendCBOR(v any, ref Ref) []byte {
	return s.appendCBOR(nil, reflect.ValueOf(v).Elem(), &s.Shapes[ref])
}
