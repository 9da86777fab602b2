/*
 * engine/kvm/kvm.h: the processor's own virtualization (VT-x, AMD-V), through Linux's /dev/kvm
 * (Documentation/virt/kvm/api.rst).
 */
#ifndef ENGINE_KVM_KVM_H
#define ENGINE_KVM_KVM_H

#include "engine/engine.h"

extern const struct engine_ops kvm_engine;

#endif
