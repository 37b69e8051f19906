# Virtual machine with 2 processors and 6 GB.
name: VM medium
verified on hardware: no
match sys_vendor: QEMU*
match sys_vendor: VMware*
match sys_vendor: Microsoft*
match sys_vendor: Xen*
match sys_vendor: innotek*
match sys_vendor: Red Hat*
match sys_vendor: Amazon*
match sys_vendor: Google*
match sys_vendor: Proxmox*
processors at least: 2
memory at least: 5200
lan1: order 1 of any
lan2: order 2 of any
serial: ttyS0 115200
registrations: 2500
calls: 100
drivers: virtio_net virtio_blk virtio_scsi vmxnet3 vmw_pvscsi hv_netvsc hv_storvsc e1000 e1000e
