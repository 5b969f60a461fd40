// SPDX-License-Identifier: BSD-2-Clause

// Package fields walks over the fields of a struct, for tests that name the
// field which was forgotten somewhere.
package fields

import (
	"fmt"
	"net/netip"
	"reflect"
	"time"
)

// Each calls f with the path of each exported field of the struct that v points
// to, "Keepalive.Idle", and with the field. Fields of structs are walked into,
// those of embedded ones by their own names, and so are what pointers lead to (a
// new one where there is none) and the elements of arrays, "Connections[3]". A
// struct of another module is one field.
func Each(v any, f func(path string, field reflect.Value)) { each(reflect.ValueOf(v).Elem(), "", f) }

func each(v reflect.Value, at string, f func(string, reflect.Value)) {
	for i := range v.NumField() {
		t, field := v.Type().Field(i), v.Field(i)
		if !t.IsExported() {
			continue
		}
		switch field.Interface().(type) {
		case time.Time, netip.Addr, netip.AddrPort:
			f(at+t.Name, field)
			continue
		}
		switch {
		case field.Kind() == reflect.Struct && t.Anonymous:
			each(field, at, f)
		case field.Kind() == reflect.Struct:
			each(field, at+t.Name+".", f)
		case field.Kind() == reflect.Pointer:
			if field.IsNil() {
				field.Set(reflect.New(t.Type.Elem()))
			}
			each(field.Elem(), at+t.Name+".", f)
		case field.Kind() == reflect.Array:
			for i := range field.Len() {
				path, element := fmt.Sprintf("%s%s[%d]", at, t.Name, i), field.Index(i)
				if element.Kind() == reflect.Struct {
					each(element, path+".", f)
				} else {
					f(path, element)
				}
			}
		default:
			f(at+t.Name, field)
		}
	}
}

// Set gives the field its n-th value, n from 1 to 3: none is the zero value,
// and each is one that an enumeration of three words or more has.
func Set(field reflect.Value, n int) {
	switch field.Interface().(type) {
	case time.Time:
		field.Set(reflect.ValueOf(time.Date(2026, 11, 22, 1, 2, n, 0, time.UTC)))
		return
	case time.Duration:
		field.SetInt(int64(n) * int64(time.Second))
		return
	case netip.Addr:
		field.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})))
		return
	case netip.AddrPort:
		field.Set(reflect.ValueOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(n)}), uint16(n))))
		return
	}
	switch field.Kind() {
	case reflect.Bool:
		field.SetBool(n%2 == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		field.SetInt(int64(n))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		field.SetUint(uint64(n))
	case reflect.String:
		field.SetString(fmt.Sprint("E", n))
	default:
		panic(fmt.Sprintf("a field of the type %s: say here what values it has", field.Type()))
	}
}
