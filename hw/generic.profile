# Any other machine: its first two network cards by PCI address.
name: generic
verified on hardware: no
lan1: order 1 of any
lan2: order 2 of any
serial: ttyS0 115200
registrations: 2000
calls: 40
drivers: any
