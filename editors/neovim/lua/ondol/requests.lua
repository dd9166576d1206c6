--- Requests to a server: methods of its client, and its commands.
local M = {}

--- Calls a method of a client. Neovim 0.10 uses a dot, newer versions a colon.
---@param client vim.lsp.Client
---@param name string
function M.call(client, name, ...)
  if vim.fn.has('nvim-0.11') == 1 then
    return client[name](client, ...)
  end
  return client[name](...)
end

--- Whether a server has a command. A server of another version may lack it.
---@param client vim.lsp.Client
---@param command string
---@return boolean
function M.has_command(client, command)
  local commands = vim.tbl_get(client.server_capabilities or {}, 'executeCommandProvider', 'commands')
  return type(commands) == 'table' and vim.tbl_contains(commands, command)
end

--- Runs a command of a server, if the server has it.
---@param client vim.lsp.Client
---@param command string
---@param arguments any[]|nil
---@param done fun(err: table|nil, result: any)|nil
function M.execute(client, command, arguments, done)
  if M.has_command(client, command) then
    local params = { command = command, arguments = arguments }
    M.call(client, 'request', 'workspace/executeCommand', params, done or function() end, 0)
  end
end

--- Runs the command of an item that the user accepted.
---@param client vim.lsp.Client
---@param item table
function M.run_command_of(client, item)
  if type(item.command) == 'table' and type(item.command.command) == 'string' then
    M.execute(client, item.command.command, item.command.arguments)
  end
end

return M
