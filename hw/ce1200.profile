# Appliance of the CE1200 class, assumed to be a UCS C220 M5 server inside. DMI texts, drivers and the order
# of the ports are assumptions: nobody has looked at a real one yet.
name: CE1200
verified on hardware: no
match sys_vendor: Cisco*
match product_name: CE1200*
match product_name: UCSC-C220-M5*
lan1: order 1 of ixgbe i40e igb
lan2: order 2 of ixgbe i40e igb
serial: ttyS0 115200
registrations: 5000
calls: 500
drivers: ixgbe i40e megaraid_sas ahci iTCO_wdt
